"""What is planted once in each store that is measured."""

TARGET_TITLE = "Reconcile ledger drift in the quarterly settlement"
RARE_WORD = "quokkafication"  # said in three old sessions
