from drivetrain.cli.exits import UNEXPECTED, exit_code
from drivetrain.core import errors


def test_every_family_has_a_code_of_its_own():
    families = [
        cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.DrivetrainError)
    ]
    families.remove(errors.DrivetrainError)
    made = [cls("lib", "extra") if cls is errors.MissingExtra else cls("code", "message") for cls in families]
    codes = [exit_code(error) for error in made]
    assert len(set(codes)) == len(families)
    assert UNEXPECTED not in codes
