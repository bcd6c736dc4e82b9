"""What ``halfsilver init`` finds in captures, and the policy that it proposes for them."""
