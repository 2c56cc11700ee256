"""Traces by OpenTelemetry, if the settings turn them on. They name operations and statements, and hold no value."""
