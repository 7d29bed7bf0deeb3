"""Final documents as files, and what the receivables ledger says to them.

`exporting.export_invoices` writes files, `acknowledgements.read_acknowledgements` reads answers.
"""
