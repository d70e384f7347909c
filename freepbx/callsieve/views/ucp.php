<?php
// SPDX-License-Identifier: GPL-3.0-or-later
/** @var callable $e */
/** @var ?string $enabled */
/** @var array<string, string> $answers */
?>
<div class="element-container">
	<div class="row">
		<div class="form-group">
			<div class="col-md-3"><label class="control-label"><?php echo $e(_('Calls and lists of your extension')) ?></label></div>
			<div class="col-md-9 radioset">
				<?php foreach ($answers as $value => $name) { ?>
					<input type="radio" name="callsieve_ucp" id="callsieve_ucp_<?php echo $e($value) ?>" value="<?php echo $e($value) ?>"<?php echo $value === $enabled ? ' checked' : '' ?>>
					<label for="callsieve_ucp_<?php echo $e($value) ?>"><?php echo $e($name) ?></label>
				<?php } ?>
			</div>
		</div>
	</div>
</div>
