"""The actions that a link in a mail can allow. An operation that accepts links requires
one of them as a scope: `link:read`, …"""

LINK_ACTIONS = {
    "read": "See the order, its parcels and returns",
    "address": "See where its parcels go, and correct it",
    "pay": "Give another payment method",
    "cancel": "Cancel what has not been sent",
    "return": "Ask to send goods back, and print the label",
}
