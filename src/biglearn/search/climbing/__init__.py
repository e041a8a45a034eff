"""Climbs by EM: pass by pass, and in compiled loops."""
