"""What ALGOGENE is called: in messages, in the credentials file, in the environment. Pure."""

NAME = "ALGOGENE"
SERVICE = "algogene"
VARIABLES = ("ALGOGENE_USER", "ALGOGENE_API_KEY")
