-- Money in minor units; times in UTC. The tables are described in tables.py.
CREATE TABLE applied (
  key TEXT NOT NULL,
  subject TEXT NOT NULL,
  result JSONB NOT NULL,
  at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT applied_pkey PRIMARY KEY (key)
);

CREATE INDEX applied_subject ON applied (subject);

CREATE TABLE discrepancies (
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail JSONB NOT NULL,
  found_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  resolved_at TIMESTAMP WITH TIME ZONE,
  resolved_by TEXT,
  CONSTRAINT discrepancies_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX discrepancies_one_open ON discrepancies (kind, subject) WHERE resolved_at IS NULL;

CREATE TABLE events (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  subject TEXT NOT NULL,
  seq INTEGER NOT NULL,
  type TEXT NOT NULL,
  actor TEXT NOT NULL,
  data JSONB DEFAULT '{}' NOT NULL,
  at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT events_pkey PRIMARY KEY (id),
  CONSTRAINT events_subject_seq_key UNIQUE (subject, seq)
);

CREATE TABLE holds (
  id TEXT NOT NULL,
  subject TEXT NOT NULL,
  root TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail JSONB DEFAULT '{}' NOT NULL,
  placed_by TEXT NOT NULL,
  placed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  remind_at TIMESTAMP WITH TIME ZONE,
  reminded_at TIMESTAMP WITH TIME ZONE,
  due_at TIMESTAMP WITH TIME ZONE,
  escalated_at TIMESTAMP WITH TIME ZONE,
  assignee TEXT,
  released_at TIMESTAMP WITH TIME ZONE,
  decision TEXT,
  decided_by TEXT,
  note TEXT,
  CONSTRAINT holds_pkey PRIMARY KEY (id),
  CONSTRAINT holds_decided_check CHECK ((released_at IS NULL) = (decision IS NULL))
);

CREATE UNIQUE INDEX holds_one_open ON holds (subject, reason) WHERE released_at IS NULL;

CREATE INDEX holds_queue ON holds (reason, due_at) WHERE released_at IS NULL;

CREATE INDEX holds_root ON holds (root);

CREATE TABLE idempotency_keys (
  principal TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint BYTEA NOT NULL,
  status SMALLINT,
  headers JSONB,
  body JSONB,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT idempotency_keys_pkey PRIMARY KEY (principal, key)
);

CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE inbox (
  source TEXT NOT NULL,
  event_id TEXT NOT NULL,
  type TEXT NOT NULL,
  payload JSONB NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  attempts INTEGER DEFAULT '0' NOT NULL,
  processed_at TIMESTAMP WITH TIME ZONE,
  error TEXT,
  CONSTRAINT inbox_pkey PRIMARY KEY (source, event_id)
);

CREATE INDEX inbox_open ON inbox (due_at) WHERE processed_at IS NULL;

CREATE TABLE messages (
  subject TEXT NOT NULL,
  seq INTEGER NOT NULL,
  type TEXT NOT NULL,
  status TEXT DEFAULT 'open' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  attempts INTEGER DEFAULT '0' NOT NULL,
  sent_at TIMESTAMP WITH TIME ZONE,
  error TEXT,
  CONSTRAINT messages_pkey PRIMARY KEY (subject, seq),
  CONSTRAINT messages_status_check CHECK (status IN ('open', 'sent', 'skipped', 'failed')),
  CONSTRAINT messages_sent_check CHECK ((status = 'sent') = (sent_at IS NOT NULL))
);

CREATE INDEX messages_open ON messages (due_at) WHERE status = 'open';

CREATE TABLE notes (
  key TEXT NOT NULL,
  subject TEXT NOT NULL,
  text TEXT NOT NULL,
  at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT notes_pkey PRIMARY KEY (key)
);

CREATE INDEX notes_subject ON notes (subject);

CREATE TABLE orders (
  id TEXT NOT NULL,
  number BIGINT GENERATED ALWAYS AS IDENTITY,
  external_ref TEXT,
  customer TEXT NOT NULL,
  status TEXT NOT NULL,
  reason TEXT,
  currency CHAR(3) NOT NULL,
  shipping_method TEXT NOT NULL,
  shipping BIGINT DEFAULT '0' NOT NULL,
  shipping_captured BIGINT DEFAULT '0' NOT NULL,
  shipping_credited BIGINT DEFAULT '0' NOT NULL,
  goodwill BIGINT DEFAULT '0' NOT NULL,
  total BIGINT NOT NULL,
  ship_partial BOOLEAN DEFAULT 'false' NOT NULL,
  metadata JSONB DEFAULT '{}' NOT NULL,
  version INTEGER DEFAULT '0' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT orders_pkey PRIMARY KEY (id),
  CONSTRAINT orders_status_check CHECK (status IN ('placed', 'confirmed', 'completed', 'cancelled')),
  CONSTRAINT orders_reason_check CHECK ((status = 'cancelled') = (reason IS NOT NULL)),
  CONSTRAINT orders_amounts_check CHECK (shipping >= 0 AND total >= 0),
  CONSTRAINT orders_shipping_check CHECK (0 <= shipping_credited AND shipping_credited <= shipping_captured AND shipping_captured <= shipping),
  CONSTRAINT orders_number_key UNIQUE (number),
  CONSTRAINT orders_external_ref_key UNIQUE (external_ref)
);

CREATE INDEX orders_customer ON orders (customer, created_at, id);

CREATE INDEX orders_live ON orders (created_at, id) WHERE status IN ('placed', 'confirmed');

CREATE INDEX orders_newest ON orders (created_at, id);

CREATE TABLE products (
  sku TEXT NOT NULL,
  name TEXT NOT NULL,
  price BIGINT NOT NULL,
  currency CHAR(3) NOT NULL,
  tax_bp INTEGER DEFAULT '0' NOT NULL,
  backorder BOOLEAN DEFAULT 'false' NOT NULL,
  returnable BOOLEAN DEFAULT 'true' NOT NULL,
  active BOOLEAN DEFAULT 'true' NOT NULL,
  CONSTRAINT products_pkey PRIMARY KEY (sku),
  CONSTRAINT products_price_check CHECK (price >= 0),
  CONSTRAINT products_tax_check CHECK (tax_bp BETWEEN 0 AND 10000)
);

CREATE TABLE stock_movements (
  key TEXT NOT NULL,
  sku TEXT NOT NULL,
  location TEXT NOT NULL,
  on_hand INTEGER DEFAULT '0' NOT NULL,
  reserved INTEGER DEFAULT '0' NOT NULL,
  reason TEXT NOT NULL,
  ref TEXT,
  actor TEXT NOT NULL,
  at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT stock_movements_pkey PRIMARY KEY (key),
  CONSTRAINT stock_movements_reason_check CHECK (reason IN ('receipt', 'reserve', 'release', 'ship', 'return', 'adjust', 'write_off'))
);

CREATE INDEX stock_movements_sku ON stock_movements (sku, location, at);

CREATE TABLE contacts (
  order_id TEXT NOT NULL,
  name TEXT,
  email TEXT,
  phone TEXT,
  locale TEXT,
  ship_to JSONB,
  bill_to JSONB,
  ship_to_accepted BOOLEAN DEFAULT 'false' NOT NULL,
  erased_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT contacts_pkey PRIMARY KEY (order_id),
  CONSTRAINT contacts_order_id_fkey FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE TABLE order_lines (
  order_id TEXT NOT NULL,
  line INTEGER NOT NULL,
  sku TEXT NOT NULL,
  name TEXT NOT NULL,
  qty INTEGER NOT NULL,
  total BIGINT NOT NULL,
  tax BIGINT DEFAULT '0' NOT NULL,
  cancelled INTEGER DEFAULT '0' NOT NULL,
  reserved INTEGER DEFAULT '0' NOT NULL,
  captured INTEGER DEFAULT '0' NOT NULL,
  shipped INTEGER DEFAULT '0' NOT NULL,
  voided INTEGER DEFAULT '0' NOT NULL,
  returned INTEGER DEFAULT '0' NOT NULL,
  credited INTEGER DEFAULT '0' NOT NULL,
  CONSTRAINT order_lines_pkey PRIMARY KEY (order_id, line),
  CONSTRAINT order_lines_size_check CHECK (qty > 0 AND total >= 0),
  CONSTRAINT order_lines_counters_check CHECK (least(cancelled, reserved, captured, shipped, voided, returned, credited) >= 0),
  CONSTRAINT order_lines_units_check CHECK (cancelled + reserved + shipped <= qty),
  CONSTRAINT order_lines_captured_check CHECK (shipped + voided <= captured AND captured <= qty),
  CONSTRAINT order_lines_voided_check CHECK (voided <= cancelled),
  CONSTRAINT order_lines_returned_check CHECK (returned <= shipped),
  CONSTRAINT order_lines_credited_check CHECK (credited <= captured),
  CONSTRAINT order_lines_order_id_fkey FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE INDEX order_lines_short ON order_lines (sku) WHERE cancelled + reserved + shipped < qty;

CREATE TABLE payments (
  id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  provider_ref TEXT,
  method_ref TEXT NOT NULL,
  customer_ref TEXT,
  off_session BOOLEAN DEFAULT 'false' NOT NULL,
  return_url TEXT,
  next_action JSONB,
  multicapture BOOLEAN DEFAULT 'false' NOT NULL,
  authorized BIGINT DEFAULT '0' NOT NULL,
  capturing BIGINT DEFAULT '0' NOT NULL,
  captured BIGINT DEFAULT '0' NOT NULL,
  released BIGINT DEFAULT '0' NOT NULL,
  refunding BIGINT DEFAULT '0' NOT NULL,
  refunded BIGINT DEFAULT '0' NOT NULL,
  disputed BIGINT DEFAULT '0' NOT NULL,
  capture_before TIMESTAMP WITH TIME ZONE,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT payments_pkey PRIMARY KEY (id),
  CONSTRAINT payments_provider_provider_ref_key UNIQUE (provider, provider_ref),
  CONSTRAINT payments_counters_check CHECK (least(capturing, captured, released, refunding, refunded, disputed) >= 0),
  CONSTRAINT payments_authorized_check CHECK (capturing + captured + released <= authorized),
  CONSTRAINT payments_refunded_check CHECK (refunding + refunded <= captured),
  CONSTRAINT payments_order_id_fkey FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE INDEX payments_order ON payments (order_id);

CREATE TABLE returns (
  id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  status TEXT NOT NULL,
  tracking TEXT,
  label_ref TEXT,
  due_at TIMESTAMP WITH TIME ZONE,
  remind_at TIMESTAMP WITH TIME ZONE,
  requested_by TEXT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT returns_pkey PRIMARY KEY (id),
  CONSTRAINT returns_status_check CHECK (status IN ('requested', 'approved', 'received', 'closed', 'rejected', 'expired')),
  CONSTRAINT returns_order_id_fkey FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE INDEX returns_order ON returns (order_id);

CREATE INDEX returns_queue ON returns (status, created_at);

CREATE TABLE stock (
  sku TEXT NOT NULL,
  location TEXT NOT NULL,
  on_hand INTEGER DEFAULT '0' NOT NULL,
  reserved INTEGER DEFAULT '0' NOT NULL,
  CONSTRAINT stock_pkey PRIMARY KEY (sku, location),
  CONSTRAINT stock_on_hand_check CHECK (on_hand >= 0),
  CONSTRAINT stock_reserved_check CHECK (reserved >= 0 AND reserved <= on_hand),
  CONSTRAINT stock_sku_fkey FOREIGN KEY(sku) REFERENCES products (sku)
);

CREATE TABLE ledger (
  id TEXT NOT NULL,
  payment_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  amount BIGINT NOT NULL,
  status TEXT NOT NULL,
  ref TEXT NOT NULL,
  attempt INTEGER DEFAULT '1' NOT NULL,
  provider_ref TEXT,
  failure TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  settled_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT ledger_pkey PRIMARY KEY (id),
  CONSTRAINT ledger_kind_check CHECK (kind IN ('authorize', 'capture', 'release', 'refund')),
  CONSTRAINT ledger_status_check CHECK (status IN ('pending', 'succeeded', 'failed')),
  CONSTRAINT ledger_amount_check CHECK (amount > 0),
  CONSTRAINT ledger_payment_id_kind_ref_attempt_key UNIQUE (payment_id, kind, ref, attempt),
  CONSTRAINT ledger_payment_id_fkey FOREIGN KEY(payment_id) REFERENCES payments (id)
);

CREATE UNIQUE INDEX ledger_once ON ledger (payment_id, kind, ref) WHERE status IN ('pending', 'succeeded');

CREATE INDEX ledger_pending ON ledger (created_at) WHERE status = 'pending';

CREATE TABLE refunds (
  id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  return_id TEXT,
  reason TEXT NOT NULL,
  amount BIGINT NOT NULL,
  shipping BIGINT DEFAULT '0' NOT NULL,
  goodwill BIGINT DEFAULT '0' NOT NULL,
  status TEXT NOT NULL,
  lines JSONB DEFAULT '[]' NOT NULL,
  requested_by TEXT NOT NULL,
  approved_by TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT refunds_pkey PRIMARY KEY (id),
  CONSTRAINT refunds_reason_check CHECK (reason IN ('cancellation', 'return', 'lost', 'damaged', 'goodwill', 'price')),
  CONSTRAINT refunds_status_check CHECK (status IN ('pending', 'succeeded', 'failed')),
  CONSTRAINT refunds_amount_check CHECK (amount > 0),
  CONSTRAINT refunds_order_id_fkey FOREIGN KEY(order_id) REFERENCES orders (id),
  CONSTRAINT refunds_return_id_fkey FOREIGN KEY(return_id) REFERENCES returns (id)
);

CREATE INDEX refunds_order ON refunds (order_id);

CREATE TABLE reservations (
  order_id TEXT NOT NULL,
  line INTEGER NOT NULL,
  location TEXT NOT NULL,
  sku TEXT NOT NULL,
  qty INTEGER NOT NULL,
  CONSTRAINT reservations_pkey PRIMARY KEY (order_id, line, location),
  CONSTRAINT reservations_order_id_fkey FOREIGN KEY(order_id, line) REFERENCES order_lines (order_id, line),
  CONSTRAINT reservations_qty_check CHECK (qty > 0)
);

CREATE INDEX reservations_stock ON reservations (sku, location);

CREATE TABLE return_lines (
  return_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  line INTEGER NOT NULL,
  qty INTEGER NOT NULL,
  reason TEXT NOT NULL,
  accepted INTEGER,
  disposition TEXT,
  CONSTRAINT return_lines_pkey PRIMARY KEY (return_id, line),
  CONSTRAINT return_lines_order_id_fkey FOREIGN KEY(order_id, line) REFERENCES order_lines (order_id, line),
  CONSTRAINT return_lines_qty_check CHECK (qty > 0),
  CONSTRAINT return_lines_accepted_check CHECK (accepted BETWEEN 0 AND qty),
  CONSTRAINT return_lines_disposition_check CHECK (disposition IN ('restock', 'quarantine', 'discard')),
  CONSTRAINT return_lines_return_id_fkey FOREIGN KEY(return_id) REFERENCES returns (id)
);

CREATE TABLE shipments (
  id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  location TEXT NOT NULL,
  status TEXT NOT NULL,
  amount BIGINT DEFAULT '0' NOT NULL,
  capture_id TEXT,
  captured_at TIMESTAMP WITH TIME ZONE,
  parcel JSONB,
  carrier TEXT,
  tracking TEXT,
  label_ref TEXT,
  label_url TEXT,
  tracking_status TEXT,
  tracking_at TIMESTAMP WITH TIME ZONE,
  eta DATE,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  shipped_at TIMESTAMP WITH TIME ZONE,
  delivered_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT shipments_pkey PRIMARY KEY (id),
  CONSTRAINT shipments_status_check CHECK (status IN ('ready', 'packed', 'shipped', 'delivered', 'returned', 'lost', 'cancelled')),
  CONSTRAINT shipments_amount_check CHECK (amount >= 0),
  CONSTRAINT shipments_no_money_no_parcel_check CHECK (status IN ('ready', 'cancelled') OR capture_id IS NOT NULL OR amount = 0),
  CONSTRAINT shipments_no_money_no_label_check CHECK (label_ref IS NULL OR captured_at IS NOT NULL),
  CONSTRAINT shipments_order_id_fkey FOREIGN KEY(order_id) REFERENCES orders (id),
  CONSTRAINT shipments_capture_id_key UNIQUE (capture_id),
  CONSTRAINT shipments_capture_id_fkey FOREIGN KEY(capture_id) REFERENCES ledger (id),
  CONSTRAINT shipments_tracking_key UNIQUE (tracking)
);

CREATE INDEX shipments_order ON shipments (order_id);

CREATE INDEX shipments_queue ON shipments (status, location, created_at);

CREATE TABLE shipment_lines (
  shipment_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  line INTEGER NOT NULL,
  qty INTEGER NOT NULL,
  CONSTRAINT shipment_lines_pkey PRIMARY KEY (shipment_id, line),
  CONSTRAINT shipment_lines_order_id_fkey FOREIGN KEY(order_id, line) REFERENCES order_lines (order_id, line),
  CONSTRAINT shipment_lines_qty_check CHECK (qty >= 0),
  CONSTRAINT shipment_lines_shipment_id_fkey FOREIGN KEY(shipment_id) REFERENCES shipments (id)
);

CREATE INDEX shipment_lines_order ON shipment_lines (order_id, line);


-- Auditors: they return no row at any commit.

-- M1: what the providers hold for an order is the price of what was captured and
-- not credited.
CREATE VIEW audit_money AS
SELECT o.id, p.net AS ledger_net,
  o.shipping_captured - o.shipping_credited - o.goodwill + l.net AS goods_net
FROM orders o
JOIN LATERAL (
  SELECT coalesce(sum(captured - refunded - refunding), 0) AS net
  FROM payments WHERE order_id = o.id) p ON true
JOIN LATERAL (
  SELECT coalesce(sum(total * captured / qty - total * credited / qty), 0) AS net
  FROM order_lines WHERE order_id = o.id) l ON true
WHERE p.net <> o.shipping_captured - o.shipping_credited - o.goodwill + l.net;

-- S2: stock is the sum of its movements, reserved the sum of the open reservations,
-- and a line's reserved units the sum of its own.
CREATE VIEW audit_stock AS
SELECT s.sku, s.location
FROM stock s
JOIN LATERAL (
  SELECT coalesce(sum(on_hand), 0) AS on_hand, coalesce(sum(reserved), 0) AS reserved
  FROM stock_movements m WHERE m.sku = s.sku AND m.location = s.location) m ON true
JOIN LATERAL (
  SELECT coalesce(sum(qty), 0) AS reserved
  FROM reservations r WHERE r.sku = s.sku AND r.location = s.location) r ON true
WHERE s.on_hand <> m.on_hand OR s.reserved <> m.reserved OR s.reserved <> r.reserved
UNION ALL
SELECT l.sku, l.order_id
FROM order_lines l
JOIN LATERAL (
  SELECT coalesce(sum(qty), 0) AS reserved
  FROM reservations r WHERE r.order_id = l.order_id AND r.line = l.line) r ON true
WHERE l.reserved <> r.reserved;

-- M3: every counter of a payment is the sum of its ledger rows.
CREATE VIEW audit_ledger AS
SELECT p.id
FROM payments p
JOIN LATERAL (
  SELECT
    coalesce(sum(amount) FILTER (WHERE kind = 'authorize' AND status = 'succeeded'), 0)
      AS authorized,
    coalesce(sum(amount) FILTER (WHERE kind = 'capture' AND status = 'succeeded'), 0)
      AS captured,
    coalesce(sum(amount) FILTER (WHERE kind = 'capture' AND status = 'pending'), 0)
      AS capturing,
    coalesce(sum(amount) FILTER (WHERE kind = 'release' AND status = 'succeeded'), 0)
      AS released,
    coalesce(sum(amount) FILTER (WHERE kind = 'refund' AND status = 'succeeded'), 0)
      AS refunded,
    coalesce(sum(amount) FILTER (WHERE kind = 'refund' AND status = 'pending'), 0)
      AS refunding
  FROM ledger WHERE payment_id = p.id) l ON true
WHERE (p.authorized, p.captured, p.capturing, p.released, p.refunded, p.refunding)
  <> (l.authorized, l.captured, l.capturing, l.released, l.refunded, l.refunding);
