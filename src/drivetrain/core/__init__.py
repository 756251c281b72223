"""The vocabulary of Drivetrain: artefacts, refs, schemas, project specs, events, errors. No I/O."""
