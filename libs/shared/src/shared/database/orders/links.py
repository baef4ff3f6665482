"""The links in mails about an order."""

ADDRESS_REVISION = """(
  SELECT count(*) FROM events e
  WHERE e.subject = contacts.order_id AND e.type = 'contact.changed'
    AND e.data -> 'fields' ? 'email')"""
"""Of a row of `contacts`: how often its mail address was corrected. Links that were
mailed to an earlier one are over."""
