"""Measures how often CallSieve judges callers correctly, also under attack, and compared with simpler methods.

All callers belong to a simulated office.
"""
