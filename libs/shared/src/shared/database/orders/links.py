"""The links in mails about an order."""

ADDRESS_REVISION = """(
  SELECT count(*) FROM events e
  WHERE e.subject = contacts.order_id AND e.type = 'contact.changed'
    AND e.data -> 'fields' ? 'email')"""
"""SQL over a row of `contacts` that counts the corrections of its mail address. The API
refuses a link that was mailed before the last of them."""
