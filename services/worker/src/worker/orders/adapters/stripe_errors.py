"""Which of Stripe's errors are final, and which only say "later".

Sources: docs.stripe.com/api/errors and docs.stripe.com/error-codes. The installed SDK
lists the codes; `tests/orders/test_error_tables.py` fails as soon as it knows one that
is missing here.

    400, 402, 404   by code; without one, what Stripe understood and does not do
    401, 403        our key is wrong: it goes on once somebody has changed that
    409, 424, 429   later: the key or the object is in use, too many requests
    5xx             unknown whether it happened; stored under the key, the key is spent
"""

import stripe

from worker.orders.adapters.verdicts import Verdict

STATUSES = {
    400: Verdict.REFUSED,
    401: Verdict.LATER,
    402: Verdict.REFUSED,
    403: Verdict.LATER,
    404: Verdict.REFUSED,
    409: Verdict.LATER,
    424: Verdict.LATER,
    429: Verdict.LATER,
    500: Verdict.LATER,
    502: Verdict.LATER,
    503: Verdict.LATER,
    504: Verdict.LATER,
}

_CODES = {
    Verdict.LATER: """
        api_key_expired idempotency_key_in_use lock_timeout platform_api_key_expired
        rate_limit secret_key_required tls_version_unsupported
    """,
    Verdict.MOVED_ON: """
        capture_unauthorized_payment charge_already_captured
        charge_expired_for_capture capture_charge_authorization_expired
        intent_invalid_state payment_intent_unexpected_state
    """,
    # Cards, payments, refunds and customers: what this shop asks for.
    Verdict.REFUSED: """
        account_closed account_information_mismatch account_invalid action_blocked
        amount_too_large amount_too_small anomalous_money_movement_request
        approval_required authentication_failure authentication_required
        balance_insufficient balance_invalid_parameter billing_invalid_mandate
        capability_not_active card_decline_rate_limit_exceeded card_declined
        cardholder_phone_number_required charge_already_refunded charge_disputed
        charge_exceeds_source_limit charge_exceeds_transaction_limit
        charge_invalid_parameter charge_not_refundable country_code_invalid
        country_unsupported customer_max_payment_methods debit_not_authorized
        email_invalid expired_card expired_payment_method incorrect_address
        incorrect_cvc incorrect_number incorrect_postal_code incorrect_zip
        india_recurring_payment_mandate_canceled insufficient_funds
        intent_verification_method_missing invalid_card_type invalid_characters
        invalid_charge_amount invalid_cvc invalid_expiry_month invalid_expiry_year
        invalid_number invalid_source_usage livemode_mismatch missing no_account
        not_allowed_on_standard_account parameter_invalid_empty
        parameter_invalid_integer parameter_invalid_string_blank
        parameter_invalid_string_empty parameter_missing parameter_unknown
        parameters_exclusive payment_intent_action_required
        payment_intent_authentication_failure
        payment_intent_incompatible_payment_method payment_intent_invalid_parameter
        payment_intent_mandate_invalid payment_intent_payment_attempt_expired
        payment_intent_payment_attempt_failed payment_intent_rate_limit_exceeded
        payment_method_billing_details_address_missing
        payment_method_configuration_failures payment_method_currency_mismatch
        payment_method_customer_decline payment_method_invalid_parameter
        payment_method_invalid_parameter_testmode payment_method_not_available
        payment_method_provider_decline payment_method_provider_timeout
        payment_method_restricted payment_method_unactivated
        payment_method_unexpected_state payment_method_unsupported_type
        postal_code_invalid processing_error refer_to_customer
        refund_disputed_payment request_blocked resource_already_exists
        resource_missing return_intent_already_processed setup_attempt_failed
        setup_intent_authentication_failure setup_intent_setup_attempt_expired
        shipping_address_invalid state_unsupported status_transition_invalid
        testmode_charges_only three_d_secure_authentication_not_supported
        three_d_secure_authentication_upstream_error token_already_used
        token_card_network_invalid token_in_use url_invalid
    """,
    # Codes of invoices, bank accounts, terminals, payouts and the like, which we never
    # use: a person finds out what they mean.
    Verdict.UNKNOWN: """
        account_country_invalid_address
        account_error_country_change_requires_additional_steps
        account_number_invalid account_token_required_for_v2_account
        acss_debit_session_incomplete alipay_upgrade_required
        application_fees_not_allowed bank_account_bad_routing_numbers
        bank_account_declined bank_account_exists bank_account_restricted
        bank_account_unusable bank_account_unverified
        bank_account_verification_failed bitcoin_upgrade_required
        clearing_code_unsupported coupon_expired customer_max_subscriptions
        customer_session_expired customer_tax_location_invalid
        dispute_evidence_page_limit_exceeded failed_tax_calculation
        financial_account_balance_does_not_support_currency
        financial_account_capability_not_enabled
        financial_account_capability_restricted
        financial_connections_account_inactive
        financial_connections_account_pending_account_numbers
        financial_connections_account_unavailable_account_numbers
        financial_connections_consent_locale_invalid
        financial_connections_consent_locale_unsupported
        financial_connections_no_successful_transaction_refresh
        forwarding_api_inactive forwarding_api_invalid_parameter
        forwarding_api_retryable_upstream_error
        forwarding_api_upstream_connection_error
        forwarding_api_upstream_connection_timeout forwarding_api_upstream_error
        instant_payouts_config_disabled instant_payouts_currency_disabled
        instant_payouts_limit_exceeded instant_payouts_unsupported
        invalid_canceled_subscription_fields
        invalid_mandate_reference_prefix_format invalid_tax_location
        invoice_no_customer_line_items invoice_no_payment_method_types
        invoice_no_subscription_line_items invoice_not_editable
        invoice_on_behalf_of_not_editable invoice_payment_intent_requires_action
        invoice_upcoming_none out_of_inventory ownership_declaration_not_allowed
        payment_evaluation_on_api_version_not_supported
        payment_intent_konbini_rejected_confirmation_number
        payment_method_bank_account_already_verified
        payment_method_bank_account_blocked payment_method_microdeposit_failed
        payment_method_microdeposit_processing_error
        payment_method_microdeposit_verification_amounts_invalid
        payment_method_microdeposit_verification_amounts_mismatch
        payment_method_microdeposit_verification_attempts_exceeded
        payment_method_microdeposit_verification_descriptor_code_mismatch
        payment_method_microdeposit_verification_timeout
        payout_reconciliation_not_ready payouts_limit_exceeded payouts_not_allowed
        platform_account_required product_inactive
        progressive_onboarding_limit_exceeded routing_number_invalid
        sepa_unsupported_account
        service_period_coupon_with_metered_tiered_item_unsupported
        setup_intent_invalid_parameter setup_intent_mandate_invalid
        setup_intent_mobile_wallet_unsupported setup_intent_unexpected_state
        shipping_calculation_failed siret_invalid sku_inactive
        smart_disputes_not_available storer_capability_missing
        storer_capability_not_active stripe_tax_inactive
        subscription_update_trial_after_billing_cycle_anchor tax_id_invalid
        tax_id_prohibited taxes_calculation_failed
        terminal_location_country_unsupported terminal_reader_busy
        terminal_reader_hardware_fault
        terminal_reader_invalid_location_for_activation
        terminal_reader_invalid_location_for_payment terminal_reader_offline
        terminal_reader_timeout transfer_source_balance_parameters_mismatch
        transfers_not_allowed
    """,
}
CODES = {code: verdict for verdict, codes in _CODES.items() for code in codes.split()}


def judge(error: stripe.StripeError) -> Verdict:
    """What an error means for the request that it answers."""
    status = error.http_status
    if isinstance(error, stripe.IdempotencyError):
        return Verdict.SPENT
    if isinstance(error, stripe.RateLimitError):
        return Verdict.LATER  # it may come as a 400, too
    if status is None:
        return Verdict.LATER  # no answer came
    if status >= 500 and _is_replayed(error):
        return Verdict.SPENT
    verdict = STATUSES.get(status, Verdict.UNKNOWN)
    if verdict is Verdict.REFUSED and error.code is not None:
        return CODES.get(error.code, Verdict.UNKNOWN)
    return verdict


def _is_replayed(error: stripe.StripeError) -> bool:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return headers.get("idempotent-replayed") == "true"
