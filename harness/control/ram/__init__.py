"""Operations of the Resource Access Manager: shares and invitations."""
