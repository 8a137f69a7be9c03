"""``python -m nbos_kernel -f CONNECTION_FILE --side SOCKET``: see the package docstring."""

from nbos_kernel.app import main

if __name__ == "__main__":
    main()
