"""report.json and what people see of it."""
