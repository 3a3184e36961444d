import pytest

from crm_contact_center.routing.domain.requirements import RelaxationStep, RoutingStrategy, plan, stage_at, validate
from crm_shared.errors import Invalid

STEPS = (RelaxationStep(10, {"german": 3}), RelaxationStep(20, {"german": None}, boost_s=60))


def stages(**needs: int):
    return plan(needs, STEPS, cost=100, strategy=RoutingStrategy.LONGEST_IDLE)


class TestPlan:
    def test_starts_with_the_full_requirement(self) -> None:
        assert stages(german=7, faults=2)[0].contact_class.needs == (("faults", 2), ("german", 7))

    def test_a_step_lowers_a_level_and_a_later_one_drops_it(self) -> None:
        passed = stages(german=7, faults=2)
        assert [stage.contact_class.needs for stage in passed[1:]] == [(("faults", 2), ("german", 3)), (("faults", 2),)]

    def test_a_step_never_adds_a_skill_that_was_not_asked_for(self) -> None:
        assert stages(faults=2)[1].contact_class.needs == (("faults", 2),)

    def test_boosts_add_up(self) -> None:
        assert [stage.boost_s for stage in stages(german=7)] == [0, 0, 60]


class TestStageAt:
    def test_steps_count_from_queueing_and_not_from_the_step_before(self) -> None:
        assert [stage_at(stages(german=7), waited) for waited in (0, 9.9, 10, 19.9, 20, 500)] == [0, 0, 1, 1, 2, 2]


class TestValidate:
    def test_refuses_levels_out_of_range(self) -> None:
        with pytest.raises(Invalid) as caught:
            validate({"german": 11}, ())
        assert caught.value.errors[0].pointer == "/requirements/german"

    def test_refuses_relaxing_to_a_level_out_of_range(self) -> None:
        with pytest.raises(Invalid) as caught:
            validate({}, (RelaxationStep(5, {"german": 0}),))
        assert caught.value.errors[0].pointer == "/steps/0/relax/german"

    def test_refuses_steps_out_of_order(self) -> None:
        with pytest.raises(Invalid) as caught:
            validate({}, (RelaxationStep(5), RelaxationStep(5)))
        assert caught.value.code == "steps_out_of_order"
