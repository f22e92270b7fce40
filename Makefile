.PHONY: demo
demo:
	@echo placeholder
