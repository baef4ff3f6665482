from api.orders import problems  # noqa: F401 - routes name its codes on import
