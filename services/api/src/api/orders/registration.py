"""Order fulfilment as the API sees it."""

from shared.contracts.orders.events import ORDER_EVENTS
from shared.contracts.orders.holds import HOLDS, Decision, HoldReason, silence_of
from shared.database.orders.tables import Order

from api.kernel.process import Process
from api.orders import commands
from api.orders.contact import routes as contact
from api.orders.erasure import routes as erasure
from api.orders.export import routes as export
from api.orders.hold import routes as hold
from api.orders.hold.release import barred, release
from api.orders.links import link_is_good
from api.orders.location import routes as location
from api.orders.message import routes as message
from api.orders.note import routes as note
from api.orders.order import routes as order
from api.orders.paper import routes as paper
from api.orders.payment import routes as payment
from api.orders.product import routes as product
from api.orders.refund import routes as refund
from api.orders.return_ import routes as return_
from api.orders.scopes import INCLUDED, SCOPES
from api.orders.shipment import packing
from api.orders.shipment import routes as shipment
from api.orders.shipping_method import routes as shipping_method
from api.orders.stock import routes as stock
from api.orders.timeline import routes as timeline
from api.orders.webhook import routes as webhook
from api.orders.workflow import routes as workflow

ORDERS = Process(
    name="orders",
    subjects=Order,
    operators="orders:operate",
    holds={str(reason): rule for reason, rule in HOLDS.items()},
    release=release,
    silence=lambda reason, subject: silence_of(HoldReason(reason), subject),
    barred=barred,
    decision_scopes={Decision.REFUND: ("refunds:write", "refunds:any")},
    routers=tuple(
        subject.router
        for subject in (
            *(order, timeline, contact, message, note, workflow),
            # Its addresses look like those of a parcel, or a location.
            *(paper, packing),
            *(return_, refund, payment, hold, shipment),
            *(stock, location, product, shipping_method, erasure, export),
        )
    ),
    hrefs={"ord": "/v1/orders/{}"},
    events=ORDER_EVENTS,
    signed_routers=(webhook.router,),
    large_bodies=("/v1/orders", *(f"/v1/webhooks/{one}" for one in webhook.SOURCES)),
    scopes=SCOPES,
    included_scopes=INCLUDED,
    link_is_good=link_is_good,
    gateway=commands.gateway,
)
