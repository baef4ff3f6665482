"""The problem codes of orders: status and title."""

from api.http.problems import declare_problems

declare_problems(
    {
        "already-cancelled": (409, "Already cancelled"),
        "already-on-hold": (409, "A hold for this reason is open already"),
        "already-packed": (409, "Already packed"),
        "already-shipped": (409, "Already shipped"),
        "deduction-exceeds-value": (409, "More would be kept than is paid back"),
        "deduction-in-other-currency": (422, "The order is in another currency"),
        "deduction-without-goods": (422, "Nothing was accepted to keep a part of"),
        "document-too-large": (422, "The document would be too large"),
        "duplicate-location": (409, "Another location has this code"),
        "export-expired": (410, "The file was deleted"),
        "export-not-ready": (409, "The file is not written yet"),
        "export-too-large": (422, "The export has too many rows"),
        "too-many-exports": (409, "Too many exports are running"),
        "duplicate-reference": (409, "This reference is taken"),
        "exceeds-refundable": (409, "The amount exceeds what can be refunded"),
        "inactive-location": (409, "The location is not active"),
        "no-label": (409, "There is no label"),
        "not-payable": (409, "Nothing is left to pay"),
        "not-returnable": (409, "The product cannot be returned"),
        "nothing-to-pick": (409, "Nothing waits to be picked"),
        "on-hold": (409, "An open hold stops this"),
        "payment-failed": (409, "The payment failed"),
        "price-changed": (409, "The price has changed"),
        "quantity-exceeded": (409, "The quantity exceeds what is there"),
        "quantity-limit": (409, "The quantity exceeds what one customer may order"),
        "still-needed": (409, "The customer has orders with work left"),
        "too-many-attempts": (409, "Too many attempts to pay have failed"),
        "window-closed": (409, "The return window has closed"),
        "would-go-negative": (409, "The stock would go negative"),
        "unknown-location": (422, "Unknown location"),
        "unknown-sku": (422, "Unknown product"),
    }
)
