"""HAProxy and the virtual address: configuration, drained servers, who has the address."""
