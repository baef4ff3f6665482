"""The search attributes that the namespace must have before a worker starts.

An unregistered one makes every workflow task that sets it fail for ever, so the
worker is not ready until all of these are registered.
"""

from temporalio.common import SearchAttributeKey

ORDER_ID = SearchAttributeKey.for_keyword("OrderId")
"""The order that a workflow serves: to find all of an order's workflows."""

WAITING = SearchAttributeKey.for_keyword_list("Waiting")
"""The reasons of the open holds: to find orders that wait for a person."""

SEARCH_ATTRIBUTES = (ORDER_ID, WAITING)
