"""The owner's checklist as a program: is what runs what is on disk, does it answer, and what is missing here.

Every row tells what was seen and, where it is not well, what to do. It works with the server up and down, changes
nothing, and opens nothing but connections to the server and to the stores that the settings name.
"""
