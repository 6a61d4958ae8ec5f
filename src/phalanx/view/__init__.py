"""What people look at: figures, pictures of cases, and the HTML report; no network and no torch."""
