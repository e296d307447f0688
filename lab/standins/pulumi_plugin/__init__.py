"""What every resource plugin of Pulumi's needs: values, a server, messages to the engine, errors."""
