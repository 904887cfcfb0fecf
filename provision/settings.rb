# What the Vagrantfile goes by: of lab.yml the nodes, the subnet, the builder and the machines, and of
# the environment LAB_NAME, LAB_SUBNET and LAB_REPLACE. The rest of lab.yml is lab/config/topology.py's.
require_relative 'plain_yaml'

module Settings
  # As lab/config/topology.py has them.
  NODE = /\A[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?\z/
  NOT_NODES = /\A(?:localhost|broadcasthost|ip6-.*)\z/
  MOST_MEMORY = 2**24
  LAB = /\A[a-z][a-z0-9-]{0,19}\z/
  NOT_LABS = %w[bridge default host none].freeze
  BYTE = /(?:[0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])/
  PRIVATE = %r{\A(?:10\.#{BYTE}|172\.(?:1[6-9]|2[0-9]|3[01])|192\.168)\.#{BYTE}\.0/24\z}
  DOCKER_POOL = '10.199.'
  BOX = %r{\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,63})?\z}
  VERSION = /\A[0-9][0-9A-Za-z.-]{0,31}\z/
  CPUS = (1..64)

  # The settings that a file holds. Ends the program with its mistakes, a line each.
  def self.read(file, environment)
    settings = PlainYaml.load(File.binread(file))
    found = mistakes(settings, environment)
    abort "lab: #{found.join("\n")}" if found.any?
    settings
  rescue PlainYaml::NotPlain => e
    abort "lab: #{e.mistakes.map { |mistake| "lab.yml: #{mistake}" }.join("\n")}"
  rescue Errno::ENOENT
    abort "lab: #{file} is missing: restore it with `git checkout lab.yml`"
  rescue SystemCallError => e
    abort "lab: #{file} can't be read: #{e.message}"
  end

  def self.mistakes(settings, environment)
    return ['lab.yml: should be a mapping of keys to values, as `git show HEAD:lab.yml` has it'] unless settings.is_a?(Hash)

    in_environment(environment) + of_subnet(settings, environment) + of_nodes(settings['nodes'], settings['builder']) +
      of_machines(settings)
  end

  def self.in_environment(environment)
    name, replace = environment.values_at('LAB_NAME', 'LAB_REPLACE')
    found = []
    if name && !name.b.match?(LAB)
      found << "LAB_NAME: #{name.b.dump} should be up to 20 of a-z, 0-9 and -, the first one a letter"
    elsif NOT_LABS.include?(name)
      found << "LAB_NAME: #{name.dump} is a network of Docker's own: choose another"
    end
    found << "LAB_REPLACE: #{replace.b.dump} should be yes, or not set" unless [nil, 'yes'].include?(replace)
    found
  end

  def self.of_subnet(settings, environment)
    key = environment.key?('LAB_SUBNET') ? 'LAB_SUBNET' : 'lab.yml: subnet'
    subnet = environment.fetch('LAB_SUBNET', settings['subnet'])
    return [] if subnet.is_a?(String) && subnet.b.match?(PRIVATE) && !subnet.start_with?(DOCKER_POOL)

    ["#{key}: #{subnet.to_s.b.dump} should be a private /24 outside 10.199.0.0/16, such as 192.168.56.0/24"]
  end

  def self.of_nodes(nodes, builder)
    unless nodes.is_a?(Hash) && nodes.any?
      return ['lab.yml: nodes: should be a mapping of names to host and memory, as `git show HEAD:lab.yml` has it']
    end

    found = nodes.flat_map { |name, node| of_node(name, node) }
    found += of_hosts(nodes) if found.empty?
    found << "lab.yml: builder: #{builder.inspect} is no node; the nodes are #{nodes.keys.join(', ')}" unless nodes.key?(builder)
    found
  end

  def self.of_node(name, node)
    key = "lab.yml: nodes: #{name.to_s.dump}"
    unless name.is_a?(String) && name.match?(NODE)
      return ["#{key} should be a name of up to 32 of a-z, 0-9 and -, beginning with a letter and not ending with -"]
    end
    return ["#{key} is every machine's own name: choose another"] if NOT_NODES.match?(name)
    return ["lab.yml: nodes.#{name}: should be a mapping such as {host: 11, memory: 2048}"] unless node.is_a?(Hash)

    host, memory = node.values_at('host', 'memory')
    found = []
    found << "lab.yml: nodes.#{name}.host: #{host.inspect} should be a number from 2 to 254" unless host.is_a?(Integer) && host.between?(2, 254)
    unless memory.is_a?(Integer) && memory.between?(1024, MOST_MEMORY)
      found << "lab.yml: nodes.#{name}.memory: #{memory.inspect} should be a number from 1024 to #{MOST_MEMORY}"
    end
    found
  end

  def self.of_hosts(nodes)
    owners = {}
    nodes.filter_map do |name, node|
      owner = owners[node['host']] ||= name
      "lab.yml: nodes.#{name}.host: #{node['host']} is nodes.#{owner}.host's already: choose another, 2 to 254" if owner != name
    end
  end

  def self.of_machines(settings)
    return [] unless settings.key?('machines')

    machines = settings['machines']
    return ['lab.yml: machines: should be a mapping such as {cpus: 2}'] unless machines.is_a?(Hash)

    return of_own_hosts(machines['provider']) if machines.key?('provider')

    box, version, cpus = machines.values_at('box', 'version', 'cpus')
    found = (machines.keys - %w[box version cpus]).map { |key| "lab.yml: machines.#{key}: unknown key: remove it or correct its name" }
    found << "lab.yml: machines.box: #{box.inspect} should be a box's name" unless box.nil? || text?(box, BOX)
    found << "lab.yml: machines.version: #{version.inspect} should be a box's version, in quotes" unless version.nil? || text?(version, VERSION)
    unless cpus.nil? || (cpus.is_a?(Integer) && CPUS.cover?(cpus))
      found << "lab.yml: machines.cpus: #{cpus.inspect} should be a number from #{CPUS.min} to #{CPUS.max}"
    end
    found
  end

  # Hosts of one's own are no machines of Vagrant's; lab/config/topology.py has what else they need.
  def self.of_own_hosts(provider)
    return ["lab.yml: machines.provider: #{provider.inspect} should be ssh, or be left out"] unless provider == 'ssh'

    ['lab.yml: machines.provider: ssh: these nodes are hosts of your own, and not Vagrant\'s: `make up`, `make destroy`, ' \
     '`ssh -F .lab/ssh_config NODE`']
  end

  def self.text?(value, pattern) = value.is_a?(String) && value.match?(pattern)

  private_class_method :in_environment, :of_subnet, :of_nodes, :of_node, :of_hosts, :of_machines, :of_own_hosts, :text?
end
