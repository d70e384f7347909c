<?php
// SPDX-License-Identifier: GPL-3.0-or-later
/** @var callable $e */

use FreePBX\modules\Callsieve\Page;

$headings = ['at' => _('Time'), 'caller' => _('Caller'), 'did' => _('DID'), 'action' => _('What CallSieve did'), 'reason' => _('Why'), 'ended' => _('How the call ended')];
$lines = array_filter([
	Page::text($why, 'reason'),
	Page::text($why, 'because'),
	...array_map(fn ($line) => is_scalar($line) ? (string) $line : '', [...array_values((array) ($why['witnesses'] ?? [])), ...array_values((array) ($why['since_then'] ?? []))]),
]);
?>
	<?php if ($call) { $row = Page::row($call); ?>
		<h2><?php echo $e(sprintf(_('Call %s'), $row['id'])) ?></h2>
		<div id="callsieve-call">
			<p><?php echo $e("{$row['at']}  {$row['caller']}  {$row['did']}: {$row['action']} ({$row['rule']}). {$row['ended']}") ?></p>
			<ul><?php foreach ($lines as $line) { ?><li><?php echo $e($line) ?></li><?php } ?></ul>
		</div>
	<?php } ?>
	<form method="get" class="form-inline">
		<input type="hidden" name="display" value="callsieve">
		<input class="form-control" name="number" value="<?php echo $e($number) ?>" placeholder="<?php echo $e(_('Number of the caller')) ?>" aria-label="<?php echo $e(_('Number of the caller')) ?>">
		<button class="btn btn-default"><?php echo $e(_('Find')) ?></button>
	</form>
	<?php if ($trouble !== '') { ?><div class="alert alert-danger" id="callsieve-unread"><?php echo $e($trouble) ?></div><?php } ?>
	<table class="table table-striped" id="callsieve-calls">
		<thead><tr><?php foreach ($headings as $heading) { ?><th><?php echo $e($heading) ?></th><?php } ?><th></th></tr></thead>
		<tbody>
			<?php foreach ($calls as $row) { ?>
				<tr><?php foreach ($headings as $column => $heading) { ?><td data-label="<?php echo $e($heading) ?>"><?php echo $e($row[$column]) ?></td><?php } ?>
					<td>
						<a class="btn btn-default btn-sm" href="?display=callsieve&amp;id=<?php echo $e(rawurlencode($row['id'])) ?>"><?php echo $e(_('Details')) ?></a>
						<?php if ($row['number'] !== '') { ?>
							<form method="post">
								<input type="hidden" name="token" value="<?php echo $e($token) ?>">
								<input type="hidden" name="entry" value="<?php echo $e($row['number']) ?>">
								<input type="hidden" name="person" value="<?php echo $e($row['person']) ?>">
								<button class="btn btn-default btn-sm" name="do" value="block"><?php echo $e(_('Block')) ?></button>
								<button class="btn btn-default btn-sm" name="do" value="allow"><?php echo $e(_('Allow')) ?></button>
								<?php if ($row['person'] !== '') { ?><button class="btn btn-default btn-sm" name="do" value="notSpam" title="<?php echo $e(sprintf(_('In the name of extension %s, to whom the call went'), $row['person'])) ?>"><?php echo $e(_('Not spam')) ?></button><?php } ?>
							</form>
						<?php } ?>
					</td></tr>
			<?php } ?>
		</tbody>
	</table>
	<?php if (!$calls && $trouble === '') { ?><p id="callsieve-none"><?php echo $e(_('No call yet.')) ?></p><?php } ?>
</div>
