/*-------------------------------------------------------------------------
 *
 * processing_path.c
 *	  A way for the planner to the tasks in processing.
 *
 * SELECT ... FROM goque.tasks WHERE status = 'processing' is what one asks at 3
 * a.m., and no index can answer it (shared/processing_map.c tells why).  For each
 * generation that the query reads, the hook offers the planner a TID scan:
 *
 *		ctid = ANY (goque.processing_places(generation))
 *
 * The function finds the versions that the query's snapshot sees in processing;
 * the executor fetches them with that snapshot, and checks the condition again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/xlog.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "parser/parse_func.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "api/processing_path.h"
#include "core/processing_map.h"
#include "core/status.h"
#include "goque.h"
#include "shared/shmem.h"

PG_FUNCTION_INFO_V1(goque_processing_places);

static set_rel_pathlist_hook_type prev_set_rel_pathlist_hook = NULL;

/* ---- is it asked for? ---- */

/* A constant 'processing'? */
static bool
is_word(Node *node)
{
	Const	   *constant = (Const *) node;

	return node != NULL && IsA(node, Const) && !constant->constisnull && constant->consttype == TEXTOID &&
		strcmp(TextDatumGetCString(constant->constvalue), gq_status_name(GQ_PROCESSING)) == 0;
}

/* "WHEN 3", of a CASE over a smallint? */
static bool
is_number(Node *node)
{
	OpExpr	   *op = (OpExpr *) node;
	Const	   *constant;

	if (!IsA(node, OpExpr) || get_opcode(op->opno) != F_INT24EQ || !IsA(lsecond(op->args), Const))
		return false;
	constant = lsecond_node(Const, op->args);
	return !constant->constisnull && DatumGetInt32(constant->constvalue) == GQ_PROCESSING;
}

static bool
is_column(Node *node, Index rti)
{
	Var		   *var = (Var *) node;

	return node != NULL && IsA(node, Var) && var->varno == (int) rti && var->varattno == GQ_ATT_STATUS;
}

/* The column "status" of the view: a CASE over that of the table, which makes
 * the word of this number alone? */
static bool
is_status(Node *node, Index rti)
{
	CaseExpr   *expr = (CaseExpr *) node;
	bool		found = false;
	ListCell   *lc;

	if (!IsA(node, CaseExpr) || !is_column((Node *) expr->arg, rti) ||
		!IsA(expr->defresult, Const) || is_word((Node *) expr->defresult))
		return false;
	foreach(lc, expr->args)
	{
		CaseWhen   *when = lfirst_node(CaseWhen, lc);

		if (!IsA(when->result, Const))
			return false;
		if (!is_word((Node *) when->result))
			continue;
		if (!is_number((Node *) when->expr))
			return false;
		found = true;
	}
	return found;
}

/* Under a nondeterministic collation other words may be equal to this one. */
static bool
asks_for_processing(RelOptInfo *rel)
{
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		OpExpr	   *op = (OpExpr *) lfirst_node(RestrictInfo, lc)->clause;

		if (!IsA(op, OpExpr) || op->opno != TextEqualOperator)
			continue;
		if (((is_status(linitial(op->args), rel->relid) && is_word(lsecond(op->args))) ||
			 (is_status(lsecond(op->args), rel->relid) && is_word(linitial(op->args)))) &&
			get_collation_isdeterministic(op->inputcollid))
			return true;
	}
	return false;
}

/* ---- the path ---- */

/* Of goque.tasks_N, if it is the extension's own: N.  Else -1. */
static int
generation_of(Oid table)
{
	const char *name = get_rel_name(table);
	const char *schema = get_namespace_name(get_rel_namespace(table));
	Oid			extension = get_extension_oid("goque", true);

	if (name == NULL || schema == NULL || strcmp(schema, GQ_SCHEMA) != 0 ||
		strncmp(name, "tasks_", 6) != 0 || name[6] < '0' || name[6] >= '0' + GQ_GENERATIONS || name[7] != '\0' ||
		!OidIsValid(extension) || getExtensionOfObject(RelationRelationId, table) != extension)
		return -1;
	return name[6] - '0';
}

/* InvalidOid: the extension is of another version. */
static Oid
function_oid(void)
{
	Oid			argtypes[] = {INT4OID};

	return LookupFuncName(list_make2(makeString(GQ_SCHEMA), makeString("processing_places")), 1, argtypes, true);
}

static Expr *
make_condition(Index rti, Oid function, int generation)
{
	ScalarArrayOpExpr *any = makeNode(ScalarArrayOpExpr);
	Const	   *number = makeConst(INT4OID, -1, InvalidOid, sizeof(int32), Int32GetDatum(generation), false, true);
	Var		   *ctid = makeVar(rti, SelfItemPointerAttributeNumber, TIDOID, -1, InvalidOid, 0);

	any->opno = TIDEqualOperator;
	any->opfuncid = F_TIDEQ;
	any->useOr = true;
	any->args = list_make2(ctid, makeFuncExpr(function, TIDARRAYOID, list_make1(number), InvalidOid, InvalidOid,
											  COERCE_EXPLICIT_CALL));
	any->location = -1;
	return (Expr *) any;
}

static void
offer_path(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	int			generation;
	Oid			function;
	RestrictInfo *condition;

	if (prev_set_rel_pathlist_hook)
		prev_set_rel_pathlist_hook(root, rel, rti, rte);
	if (rte->rtekind != RTE_RELATION || rte->relkind != RELKIND_RELATION || rte->tablesample != NULL ||
		IS_DUMMY_REL(rel) || gq_shared == NULL || RecoveryInProgress() || !asks_for_processing(rel))
		return;
	generation = generation_of(rte->relid);
	if (generation < 0)
		return;
	function = function_oid();
	if (!OidIsValid(function))
		return;
	condition = make_simple_restrictinfo(root, make_condition(rti, function, generation));
	add_path(rel, (Path *) create_tidscan_path(root, rel, list_make1(condition), rel->lateral_relids));
}

void
gq_processing_path_init(void)
{
	prev_set_rel_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = offer_path;
}

/*
 * goque.processing_places(generation) returns tid[]
 *
 * Where the query's snapshot sees tasks in processing.
 */
Datum
goque_processing_places(PG_FUNCTION_ARGS)
{
	int			number = PG_GETARG_INT32(0);
	GqGeneration *generation;
	ItemPointer tids;
	Datum	   *elements;
	int64		n;

	if (number < 0 || number >= GQ_GENERATIONS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("generation out of range"),
				 errdetail("There are the generations 0 to %d; %d was asked for.", GQ_GENERATIONS - 1, number),
				 errhint("Query goque.tasks instead.")));
	generation = gq_generation_open(number);
	tids = gq_processing_places(generation, GetActiveSnapshot(), &n);
	gq_generation_close(generation);
	elements = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Datum) * Max(n, 1));
	for (int64 i = 0; i < n; i++)
		elements[i] = PointerGetDatum(&tids[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, n, TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT));
}
