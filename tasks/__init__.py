"""Steps: one room per step; pure cores, ports, and Prefect edges."""
