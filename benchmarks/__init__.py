"""Measurements of the house: made usage beside a floor, and real usage."""
