"""How fast it is: questions, contenders, and the report on them."""
