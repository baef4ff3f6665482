"""The pages, each a file with its routes; templates have the same names."""

from fastapi import APIRouter

from console.pages import (
    bench,
    books,
    contact,
    events,
    exports,
    hold,
    now,
    order,
    order_actions,
    orders,
    returns,
    stock,
)

PAGES: tuple[APIRouter, ...] = tuple(
    subject.router
    for subject in (
        *(now, hold, orders, order, contact, order_actions),
        *(bench, returns, stock, books, exports, events),
    )
)
