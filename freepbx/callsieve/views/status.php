<?php
// SPDX-License-Identifier: GPL-3.0-or-later
/** @var callable $e */
$states = [
	'on' => [_('Calls are screened'), 'success'],
	'observing' => [_('CallSieve observes: it decides and records, and every call goes on'), 'info'],
	'off' => [_('Screening is off: every call goes on unscreened'), 'warning'],
	'emergency' => [_('After an emergency call: every call goes on unscreened'), 'warning'],
	'failing' => [_('CallSieve cannot decide: calls go on unscreened'), 'danger'],
	'down' => [_('CallSieve does not answer: every call goes on unscreened'), 'danger'],
];
[$headline, $colour] = $states[$status['screening'] ?? ''] ?? [_('It is not known whether calls are screened'), 'danger'];
$time = fn ($at): string => is_string($at) && strtotime($at) !== false ? date('Y-m-d H:i', strtotime($at)) : '';
$hour = is_array($status['last_hour'] ?? null) ? $status['last_hour'] : [];
?>
<div class="container-fluid" id="callsieve">
	<h1>CallSieve</h1>
	<?php if ($note !== '') { ?>
		<div class="alert alert-info" id="callsieve-note"><?php echo nl2br($e($note)) ?></div>
	<?php } ?>
	<div class="alert alert-<?php echo $e($colour) ?>" id="callsieve-state">
		<strong><?php echo $e($headline) ?></strong>
		<?php if ($time($status['since'] ?? null) !== '') { echo $e(sprintf(_('since %s'), $time($status['since']))); } ?>
		<?php if ($time($status['until'] ?? null) !== '') { echo $e(sprintf(_('until %s'), $time($status['until']))); } ?>
		<div><?php echo $e($trouble !== '' ? $trouble : ($status['why'] ?? '')) ?></div>
	</div>
	<form method="post" action="config.php?display=callsieve">
		<input type="hidden" name="token" value="<?php echo $e($token) ?>">
		<button class="btn btn-default" name="switch" value="on"><?php echo $e(_('Switch on')) ?></button>
		<button class="btn btn-default" name="switch" value="off-hour"><?php echo $e(_('Off for an hour')) ?></button>
		<button class="btn btn-danger" name="switch" value="off"><?php echo $e(_('Switch off')) ?></button>
		<?php if ($console !== '') { ?>
			<a class="btn btn-primary" id="callsieve-console" href="<?php echo $e($console) ?>" target="_blank" rel="noopener noreferrer"><?php echo $e(_('CallSieve\'s console')) ?></a>
		<?php } ?>
	</form>

	<?php if (!empty($status['trouble']) && is_array($status['trouble'])) { ?>
		<h2><?php echo $e(_('Trouble')) ?></h2>
		<ul id="callsieve-trouble">
			<?php foreach ($status['trouble'] as $one) { ?>
				<li><strong><?php echo $e($one['name'] ?? '') ?></strong>: <?php echo $e($one['detail'] ?? '') ?>
					<?php if (($one['remedy'] ?? '') !== '') { ?><br>&rarr; <code><?php echo $e($one['remedy']) ?></code><?php } ?></li>
			<?php } ?>
		</ul>
	<?php } ?>
	<?php if ($clashes) { ?>
		<h2><?php echo $e(_('Feature codes that another module has')) ?></h2>
		<p><?php echo $e(_('These are switched off. Give them other codes in Admin > Feature Codes.')) ?></p>
		<ul>
			<?php foreach ($clashes as $code => $description) { ?><li><?php echo $e("$code: $description") ?></li><?php } ?>
		</ul>
	<?php } ?>
	<?php if ($unscreened) { ?>
		<h2><?php echo $e(_('Inbound routes that are not screened')) ?></h2>
		<p><?php echo $e(implode(', ', array_map(fn ($route) => $route === '/' ? _('any DID') : rtrim($route, '/'), $unscreened))) ?></p>
	<?php } ?>

	<h2><?php echo $e(_('The last decisions')) ?></h2>
	<?php if ($hour) { ?>
		<p><?php echo $e(sprintf(_('In the last hour: %d calls, %d without a decision.'), (int) ($hour['calls'] ?? 0), (int) ($hour['failed_open'] ?? 0))) ?></p>
	<?php } ?>
	<table class="table table-striped" id="callsieve-calls">
		<thead><tr><?php foreach ([_('Time'), _('Caller'), _('DID'), _('Action'), _('Why'), _('Rule'), _('How it ended'), _('Reference')] as $heading) { ?><th><?php echo $e($heading) ?></th><?php } ?></tr></thead>
		<tbody>
			<?php foreach ($calls as $call) { ?>
				<tr><?php foreach (['at', 'caller', 'did', 'action', 'reason', 'rule', 'ended', 'id'] as $column) { ?><td><?php echo $e($call[$column]) ?></td><?php } ?></tr>
			<?php } ?>
		</tbody>
	</table>
	<?php if (!$calls) { ?><p><?php echo $e(_('No call yet.')) ?></p><?php } ?>

	<form method="post" action="config.php?display=callsieve" class="form-inline">
		<input type="hidden" name="token" value="<?php echo $e($token) ?>">
		<label for="callsieve-address"><?php echo $e(_('Address of CallSieve\'s console')) ?></label>
		<input class="form-control" id="callsieve-address" name="console" value="<?php echo $e($console) ?>" placeholder="https://pbx.example.org:8480/">
		<button class="btn btn-default"><?php echo $e(_('Save')) ?></button>
	</form>
</div>
