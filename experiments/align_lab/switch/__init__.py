"""The embedding switch: does the index of one text encoder answer another's queries, through a map between the two?"""
