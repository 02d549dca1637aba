"""The provider plugin that plays Alibaba Cloud on this machine. Imports nothing: a plugin is started for every call."""
