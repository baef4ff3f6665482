"""How orders are sent, and for how much; what products cost in other currencies."""

from alembic import op

revision = "0012"
down_revision = "0011"

STATEMENTS = (
    """
    CREATE TABLE shipping_methods (
        code TEXT NOT NULL,
        currency CHAR(3) NOT NULL,
        countries TEXT[] NOT NULL,
        name TEXT NOT NULL,
        price BIGINT NOT NULL,
        tax_bp INTEGER DEFAULT '0' NOT NULL,
        free_from BIGINT,
        carrier TEXT,
        service TEXT,
        CONSTRAINT shipping_methods_pkey PRIMARY KEY (code, currency, countries),
        CONSTRAINT shipping_methods_price_check
            CHECK (price >= 0 AND (free_from IS NULL OR free_from >= 0)),
        CONSTRAINT shipping_methods_tax_check CHECK (tax_bp BETWEEN 0 AND 10000)
    )
    """,
    """
    CREATE TABLE product_prices (
        sku TEXT NOT NULL,
        currency CHAR(3) NOT NULL,
        price BIGINT NOT NULL,
        tax_bp INTEGER,
        CONSTRAINT product_prices_pkey PRIMARY KEY (sku, currency),
        CONSTRAINT product_prices_price_check CHECK (price >= 0),
        CONSTRAINT product_prices_tax_check CHECK (tax_bp BETWEEN 0 AND 10000),
        CONSTRAINT product_prices_sku_fkey FOREIGN KEY (sku) REFERENCES products (sku)
    )
    """,
    "ALTER TABLE orders ADD COLUMN shipping_name TEXT",
    "ALTER TABLE orders ADD COLUMN shipping_carrier TEXT",
    "ALTER TABLE orders ADD COLUMN shipping_service TEXT",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
