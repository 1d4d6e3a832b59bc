"""ReceiveWebhook: from GitHub's delivery to an event on the bus."""
