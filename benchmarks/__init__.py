"""Measurements that take too long for tests."""
