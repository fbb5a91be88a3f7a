"""Keeps an agent's conversation within its model's window without losing what the work depends on."""
