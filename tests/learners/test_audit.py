"""What is known of the rules, measured again."""

import json
import sys

import pytest

from learners.audit import audit, audits, colours, main
from learners.diagnostics.costs import directions, parts
from tests.helpers.learners import HEBBIAN, RULES, learner

LEARNING = [rule for rule in RULES if rule != "none"]
LAYER_WISE = ("dgl", "gll", "rll", "gll_rf", "rll_rf")


@pytest.fixture(scope="module")
def rows():
    few, pairs, measured = colours(3, size=16), colours(8, size=16), {}
    few = few._replace(first=few.first.double(), second=few.second.double())
    for rule in LEARNING:
        small = learner(rule)
        for part in parts(small):
            part.double()
        measured[rule] = audit(learner(rule), pairs, small=small, few=few)
    return measured


def test_weights_are_transported_by_backpropagation_and_sign_and_by_target_propagation_in_the_head_only(rows):
    transport = {rule: row["weight_transport"] for rule, row in rows.items()}
    assert transport == {
        **{"bp": "blocks", "sign": "blocks", "dtp": "head", "dtp_ldrl": "head"},
        **dict.fromkeys(("rf", "urf", *LAYER_WISE, *HEBBIAN), "no"),
    }


def test_only_layer_wise_and_hebbian_rules_do_not_wait_for_later_blocks(rows):
    assert {rule for rule, row in rows.items() if not row["update_locking"]} == {*LAYER_WISE, *HEBBIAN}


def test_negatives_of_the_batch_make_every_rule_with_a_loss_depend_on_other_rows(rows):
    assert {rule for rule, row in rows.items() if not row["other_rows"]} == set(HEBBIAN)


def test_a_remembered_hinge_makes_every_row_learn_from_itself_and_the_past():
    rules = ["learner=bp", "learner=dgl", "learner=dtp"]
    rows = [audits([rule, "env.size=16", "loss=hinge_remembered"]).popitem()[1] for rule in rules]
    assert [row["other_rows"] for row in rows] == [False] * 3
    assert [row["weight_transport"] for row in rows] == ["blocks", "no", "head"]
    assert [row["update_locking"] for row in rows] == [True, False, True]


@pytest.mark.parametrize(
    ("loss", "locked", "others"),
    [
        (["loss=lpl"], False, True),
        (["loss=lpl", "loss.statistics=stale"], False, False),
        (["loss=sfa"], False, True),
        (["loss=scff", "loss.pairs=published"], False, True),
        (["loss=byol"], False, False),
        (["loss=clapp", "loss.context=top"], True, True),
    ],
)
def test_losses_of_time_are_local_but_for_what_they_ask_of_the_batch_or_of_the_top(loss, locked, others):
    row = audits(["learner=dgl", "env.size=16", *loss]).popitem()[1]
    assert (row["weight_transport"], row["update_locking"], row["other_rows"]) == ("no", locked, others)


def test_a_layer_wise_update_goes_up_once_and_target_propagation_up_down_and_up(rows):
    phases = {rule: row["phases"] for rule, row in rows.items()}
    once, twice, thrice = (*LAYER_WISE, *HEBBIAN), ("bp", "rf", "urf", "sign"), ("dtp", "dtp_ldrl")
    assert phases == dict.fromkeys(once, 1) | dict.fromkeys(twice, 2) | dict.fromkeys(thrice, 3)


def test_a_sweep_that_begins_again_is_no_turn():
    up, down = [("up", n) for n in (1, 2, 3)], [("down", n) for n in (3, 2, 1)]
    assert directions(up + up) == [True] * 4
    assert directions(up + up + down + down) == [True] * 4 + [False] * 4


def test_extra_weights_are_feedback_and_inverses(rows):
    forward = 3 * 9 * 32 + 9 * (32 * 64 + 64 * 128 + 128 * 256) + 256 * 64
    inverses = 16 * (32 * 64 + 64 * 128 + 128 * 256)
    assert rows["bp"]["forward_weights"] == forward
    assert rows["bp"]["extra_weights"] == rows["sign"]["extra_weights"] == 0
    assert rows["rf"]["extra_weights"] == rows["urf"]["extra_weights"] > 0
    assert rows["dtp"]["extra_weights"] == inverses


def test_hebbian_rules_store_nothing_for_a_way_back_and_bio_sfa_alone_keeps_more_weights(rows):
    assert [rows[rule]["stored_activations"] for rule in HEBBIAN] == [0, 0, 0]
    assert [rows[rule]["extra_weights"] for rule in HEBBIAN] == [0, 0, 32**2 + 64**2 + 128**2 + 256**2]


def test_multiplications_are_those_of_a_hand_count(rows):
    convs = [3 * 9 * 32 * 256, 32 * 9 * 64 * 64, 64 * 9 * 128 * 16, 128 * 9 * 256 * 4]
    head = 256 * 64
    both_ways = 2 * (sum(convs) + head) + sum(convs) + head  # two views up; of one, the weights' gradients
    assert rows["bp"]["macs"] == both_ways + sum(convs[1:]) + head  # and of one, the errors, which stop above pixels
    assert rows["rf"]["macs"] == rows["bp"]["macs"]
    assert rows["rll"]["macs"] < rows["dgl"]["macs"] < rows["bp"]["macs"] + 3 * 64 * (8192 // 4)
    assert rows["dtp"]["macs"] > rows["bp"]["macs"]


def test_a_layer_wise_rule_stores_less_than_backpropagation(rows):
    stored = {rule: row["stored_activations"] for rule, row in rows.items()}
    assert stored["rll"] < stored["dgl"] < stored["bp"]


def test_the_command_tells_the_same_in_three_forms(monkeypatch, capsys):
    def output(*arguments):
        monkeypatch.setattr(sys, "argv", ["audit", "learner=rf", "env.size=16", *arguments])
        main()
        return capsys.readouterr().out

    (row,) = json.loads(output("--json")).values()
    assert (row["weight_transport"], row["phases"]) == ("no", 2)
    assert "| `rf` | no | yes | yes | 2 |" in output("--markdown")
    assert "Weight transport:" in output()


def test_the_untrained_cannot_be_audited(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["audit", "learner=none"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert capsys.readouterr().err == "learner=none learns nothing, so there is nothing to audit; try bp\n"
