"""The pages of customers who follow the link in a mail. They have no account here.

Nothing of staff's sign-in leads in, and nothing leads out to it.
"""
