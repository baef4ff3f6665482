"""The scopes of orders. `admin` may do everything."""

SCOPES = {
    "orders:own": "A customer: place and see one's own orders",
    "orders:read": "See all orders",
    "orders:write": "Place and pay orders for customers",
    "orders:price": "Set prices, discounts and taxes of the orders one places",
    "orders:operate": "Work on orders and holds; includes orders:read, contacts:read",
    "contacts:read": "See whom an order is for, and where it goes",
    "fulfil": "Pack and ship",
    "stock:read": "See the stock",
    "stock:write": "Receive and correct stock; includes stock:read",
    "locations:write": "Change locations: where goods lie and are sent from",
    "catalogue:write": "Change products and shipping methods",
    "refunds:write": "Refund up to a limit",
    "refunds:any": "Decide on refunds of any amount; includes orders:read",
    "money:read": "See what the books disagree about",
    "approvals": "Approve or reject orders; includes orders:read, contacts:read",
}
INCLUDED = {
    "orders:operate": ("orders:read", "contacts:read"),
    "stock:write": ("stock:read",),
    # Deciding includes seeing.
    "refunds:any": ("orders:read",),
    "approvals": ("orders:read", "contacts:read"),
}
"""A scope, and those that it includes."""
