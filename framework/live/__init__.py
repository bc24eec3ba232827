"""A live session: what moves bytes, keeps time, keeps count and keeps the record. It knows no venue.

The modules are imported by name (`framework.live.clock`), so that importing one does not bring the others.
"""
