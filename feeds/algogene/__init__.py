"""ALGOGENE: prices over REST and a websocket, and the session that its accounts share."""
