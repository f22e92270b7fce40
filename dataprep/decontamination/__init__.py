"""Decontamination: documents that hold items of evaluation sets, found by shared runs of words.

A word is what ``re.findall(r"\\w+", text.lower())`` finds (``dataprep.dedup.words`` says it to the
letter), so case, punctuation and white space hide nothing. Two published rules decide: any
shared run of 13 words (Brown et al. 2020), and 70 % of an item's runs of 8 words (Chowdhery et
al. 2022).
"""

from dataprep.decontamination.config import CutConfig, DecontaminationConfig, EvaluationSet, OverlapRule
from dataprep.decontamination.cutting import (
    CUT_SCHEMA,
    CUTS_FOLDER,
    cut_batch,
    cut_out,
    cuts_path,
    pieces_by_document,
    pieces_of,
)
from dataprep.decontamination.items import ITEM_SCHEMA, read_items, set_identity
from dataprep.decontamination.matching import ItemIndex, Match
from dataprep.decontamination.report import (
    CONTAMINATED,
    HIT_SCHEMA,
    ITEMS_FILE,
    hit_batch,
    hits_path,
    item_report,
    removal_of,
)

__all__ = [
    "CONTAMINATED",
    "CUTS_FOLDER",
    "CUT_SCHEMA",
    "HIT_SCHEMA",
    "ITEMS_FILE",
    "ITEM_SCHEMA",
    "CutConfig",
    "DecontaminationConfig",
    "EvaluationSet",
    "ItemIndex",
    "Match",
    "OverlapRule",
    "cut_batch",
    "cut_out",
    "cuts_path",
    "hit_batch",
    "hits_path",
    "item_report",
    "pieces_by_document",
    "pieces_of",
    "read_items",
    "removal_of",
    "set_identity",
]
