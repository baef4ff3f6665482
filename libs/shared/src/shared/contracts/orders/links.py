"""What a link in a mail may be good for. The API asks for it as `link:read`, …"""

LINK_ACTIONS = {
    "read": "See the order, its parcels and returns",
    "address": "See where its parcels go, and correct it",
    "pay": "Give another payment method",
    "cancel": "Cancel what has not been sent",
    "return": "Ask to send goods back, and print the label",
}
