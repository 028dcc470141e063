print("trinity")
