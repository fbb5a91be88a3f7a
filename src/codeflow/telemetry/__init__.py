"""The ledger of model calls, and its reports."""
