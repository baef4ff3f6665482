"""The pages, each a file with its routes; templates have the same names."""

from fastapi import APIRouter

from console.pages import (
    bench,
    bench_many,
    beside,
    books,
    contact,
    events,
    exports,
    hold,
    locations,
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
        *(now, beside, hold, orders, order, contact, order_actions),
        *(bench_many, bench, returns, stock, locations, books, exports, events),
    )
)
