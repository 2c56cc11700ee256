from profile_lookup.cli import main

main()
