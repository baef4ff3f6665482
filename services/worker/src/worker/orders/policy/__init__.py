"""The rules: what an order's next step is, and when a person must decide.

Pure: the same facts give the same answer, in a workflow, its replay and a test.
"""
